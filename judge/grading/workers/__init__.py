"""A run on several worker processes, of this machine or of a Ray cluster; one contract, two launchers.

The driver alone reads transcripts and writes the ledger. It hands out turns (one transcript before one judge), gives leave
for every request (money, rate) and takes in rows; a worker makes verdicts with the scheduler of an ordinary run and keeps
each row on its own disk before it passes it on. So a worker can be lost, or the driver: what was answered and recorded is
not asked again.
"""
