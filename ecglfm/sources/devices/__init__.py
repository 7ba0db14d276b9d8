"""Files as devices and hospitals write them, known by their content; the adapters of folders of them."""
