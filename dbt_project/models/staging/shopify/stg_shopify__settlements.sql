{{ silent('settlements') }}
