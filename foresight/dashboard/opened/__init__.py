"""What is opened from the page: a slot, a deploy, trades, logs, the kept releases.

Owns views with addresses of their own, made on the server when they are asked for. They show one
moment and say which. `views` answers, the others are what each of them is made of.
"""
