"""What more than one part of Closebell needs; imports nothing of the other parts."""
