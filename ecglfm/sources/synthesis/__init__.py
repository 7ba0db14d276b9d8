"""The synthetic database: a moving cardiac dipole, people with conditions, and the tables of a real database."""
