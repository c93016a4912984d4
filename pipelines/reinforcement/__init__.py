"""Learning by trying: algorithms, the policies that they make better, and episodes that executors play."""
