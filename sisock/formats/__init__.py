"""Files of others, whatever their format: tables with a time, whose rows are read anywhere or one after the other."""
