"""Random worlds: a store, a tree of files and a command, drawn from a seed, and what the command must leave behind.

    draw(seed) -> World ──build──> a real Swift and a directory ──command──> judge: what could be read, and still can

`world` has the records, `draw` makes them (pure), `build` puts them into a store and onto a disk, `disk` says which
files an upload takes, `swift` looks at the store (nothing of bulkput), `liar` is the proxy between, `judge` decides.
"""
