"""`muybridge init`: the files of a folder sorted by what they are, cameras and recordings told by their names."""
