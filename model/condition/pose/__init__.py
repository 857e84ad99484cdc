"""Body pose: detect (RGB to landmarks), retarget (onto the dancer's bones), draw (to planes)."""
