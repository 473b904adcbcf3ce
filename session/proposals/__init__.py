"""`muybridge init`: the files of a folder sorted by what they are, cameras and recordings recognised by their names."""
