"""Files of other projects, read as data. What is here runs in a process of its own, without torch: see `child`.

    bytes -> opcodes (records) -> torchfile, arrays (tensors) -> nvidia, legacy_tf, plain_files (networks) -> child (safetensors)

Nothing here calls, imports or looks up anything that a file names.
"""
