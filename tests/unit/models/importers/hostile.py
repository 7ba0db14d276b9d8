"""Checkpoints written byte by byte, to claim what is not so."""

import zipfile


def archive(path, program, **members):
    """A checkpoint in the zip form with this pickle."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x/data.pkl", program)
        for name, data in members.items():
            file.writestr(f"x/data/{name}", data)
    return path


STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"


def tensor(shape, stride, offset=b"K\x00"):
    """Pickle of a tensor over a storage of 4 floats; shape and stride as pickled tuples."""
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + offset + shape + stride + b"\x89ccollections\nOrderedDict\n(tRtR"  # fmt: skip


def model(weight, name=b"X\x01\x00\x00\x00w"):
    return b"\x80\x02}X\x05\x00\x00\x00model}" + name + weight + b"ss."
