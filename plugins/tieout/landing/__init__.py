"""Landing: pages in, typed versions out, nothing lost and everything counted.

A page goes parse → typed → encode → loader, columnar all the way; beside it the archive keeps what was received, and
what cannot be typed goes to the quarantine. `land.py` is the door: `land_stream`, `land_connection`.
"""
