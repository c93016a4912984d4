"""Tables as people have them: a folder or a file to rows by column name, whatever wrote it."""
