"""The command `evertoken` (extra `cli`): argv -> operation -> table or JSON.

`program` runs a command line and `commands` holds what belongs to no group of the API. `tree` has a command
for every operation: `table` tells what they are, `arguments` how each is given, `body` and `call` make the
operation of them and carry it out, `listing` and `output` show the answer.
"""
