"""A campaign from invitation to thanks, with the real `coach run` over HTTP, recorded to be read.

`campaign.en.txt` and `campaign.es.txt` are what everybody saw. `python -m tests.recorded` writes
them anew after a change of words; the test compares, so that a change is read before it is kept.
"""
