"""The bundled `mini` model: tower, head, data, loop, export."""
