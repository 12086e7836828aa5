"""The page: what the record, the journal and the history say, as a picture.

Owns a companion process that reads and never writes. `cycles`, `slots`, `figures`, `deploys` and
`view` are pure (values in, plain dataclasses out), `markup` turns a view into HTML, `source`
reads the files, `page` and `server` serve them on the loopback interface; what is opened from it
is made in `opened`. No decision about trading or ownership is made here, and no other process
waits for this one.
"""
