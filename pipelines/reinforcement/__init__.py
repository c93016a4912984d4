"""Reinforcement learning: algorithms, the policies that they train, and episodes that executors play."""
