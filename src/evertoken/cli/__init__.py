"""The command `evertoken` (extra `cli`): argv -> operation -> table or JSON.

`program` runs a command line, `commands` holds what belongs to no group, and each group of the API has a
module. `options`, `body`, `listing`, `output` and `failure` know no group: any operation can use them.
"""
