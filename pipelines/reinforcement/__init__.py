"""Learning by trying: executors play episodes in parallel, a learner beside the driver makes the policy better."""
