"""Random worlds: a store, a tree of files and a command, drawn from a seed, and a check of what the command leaves.

    draw(seed) -> World ──build──> a real Swift and a directory ──command──> judge: findings

`world` has the records, `draw` makes them without I/O, `build` puts them into a store and onto a disk, `disk` computes
which files an upload takes, `swift` reads the store without bulkput, `liar` is a proxy that gives wrong answers, and
`judge` compares the store before and after the command.
"""
