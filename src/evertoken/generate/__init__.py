"""Writes the typed package of the API (`evertoken_api`) from OpenAPI documents.

    document    reads YAML and JSON, follows references, reports where something is wrong
    validity    tells whether a document is OpenAPI 3.1, or 3.0
    overlay     what a document cannot say or says wrongly
    normal      a schema with only the keywords that shape the code
    keys        what the operations are called
    reading     the operations of the documents, with `asked` for their parameters
    operations  what is known of each
    notes       what is left out or called otherwise: told for other documents, an error in spec/
    components  the schemas as they are written, and what each is called
    library     every schema by name, in the form that models and TypedDicts are made from
    circles     what leads back to itself
    merge       what `allOf` comes to
    homes       which module each schema lives in
    types       a schema as a Python annotation
    datamodels  models and TypedDicts, by datamodel-code-generator
    methods     operations as functions and methods, by templates
    inert       nothing but declarations gets into a module, whatever a document says
    output      headers, formatting, comparing, replacing the folder
    build       all of it, in order

`scripts/generate` runs `__main__.py`; `evertoken generate` and `python -m evertoken.generate` do the same.
"""
