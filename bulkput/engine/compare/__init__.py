"""Files and objects, paired by name, and what is learnt of a pair: for uploads with `skip` and for verify."""
