{{ silent('fx_rates') }}
