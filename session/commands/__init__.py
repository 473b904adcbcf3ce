"""The subcommands of `muybridge`, by what they are for: each reads, calls one public function and prints what it wrote.

They import what they call only when they are called, so that `muybridge --help` stays instant.
"""
