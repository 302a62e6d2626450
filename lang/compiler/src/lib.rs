//! Trees to a checked program to desired resources
