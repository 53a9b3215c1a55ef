{{ silent('fiscal_periods') }}
