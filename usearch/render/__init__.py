"""Pictures and tables of hits and class maps. NumPy and Pillow; nothing here prints."""
