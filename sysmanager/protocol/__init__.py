"""What the parts say to one another: `recorders` (coordinator and VMS servers), `clients` (coordinator and programs of people)."""
