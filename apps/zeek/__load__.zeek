##! What "@load threatbus" loads where zkg, or a person, has put this folder.

@load ./threatbus
