"""Files over a channel: offered with name, size and SM3, resumed where they broke off, acknowledged once they are safe.

Client and server speak frames of kind (1 byte), length (4 bytes, big-endian) and body. The server greets; then for each
file: OFFER, the server's RESUME with an offset, DATA up to the size, RECEIPT; REFUSAL may come instead of an answer.
"""
