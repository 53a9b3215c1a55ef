{{ silent('gl_entries') }}
