"""The pictures of all cameras in the report: which instants, where they are cut out, and the points drawn over them."""
