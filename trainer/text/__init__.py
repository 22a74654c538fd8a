"""How the text encoder of the `mini` preset is made: teachers, joint space, corpus, student."""
