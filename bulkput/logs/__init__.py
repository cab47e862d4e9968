"""Access logs: lines to records, records to groups. Everything here can be used without the command line.

    from bulkput.logs.groups import Groups
    from bulkput.logs.parse import Parser
    from bulkput.logs.read import file_blocks

    groups = Groups(by=("container", "object"))
    parser = Parser()
    for block in file_blocks("access.log.gz"):  # whole lines, plain or gzip
        for lines in parser(block):
            groups.add(lines)
    for group in groups.all():
        print(group.key, group.count, group.bytes, sorted(group.seen["ip"] or ()))

`parse.parse_line` makes a Record of one line, a parser those of a block; `paths.split_path` says which
object of which container a request asked for; `read.fold` takes in many logs at once.
"""
