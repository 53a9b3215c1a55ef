{{ silent('legal_entities') }}
