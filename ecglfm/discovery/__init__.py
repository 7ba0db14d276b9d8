"""From an encoder's vectors to genes: features of people, their genotypes, associations, and what these may mean."""
