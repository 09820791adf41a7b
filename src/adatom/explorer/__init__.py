"""Pages for a browser on what adatom has found.

======================  ===========================================================
``addresses``           addresses of pages -> what is asked, or what is wrong there
``library_pages``       pages of a library of defects
``library_server``      a server of these pages, which reads only
======================  ===========================================================
"""
