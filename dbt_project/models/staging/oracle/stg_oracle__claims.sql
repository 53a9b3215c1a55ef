{{ silent('claims') }}
