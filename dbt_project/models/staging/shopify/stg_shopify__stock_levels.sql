{{ silent('stock_levels') }}
