"""What `Arena.save` and `open_image` do. Imported when one of them is called.

`file` is the file and whether it fits this process, `names` what an image refers to outside itself,
`saving` and `opening` the two ways between memory and file.
"""
