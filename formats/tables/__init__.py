"""Tables on disk: CSV and pandas' HDF5, read without pickle."""
