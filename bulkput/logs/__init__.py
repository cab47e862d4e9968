"""Access logs: lines to records, records to groups. All of it works without the command line.

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

`parse.parse_line` reads one line into a Record, a Parser reads blocks. `paths.split_path` returns the container and
object that a request asked for. `read.fold` reads many logs at once.
"""
