"""The composition: log, tracer, waiters, bench, program and settings of one sitting."""
