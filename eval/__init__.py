"""What measures: data sets, metrics, benchmarks, reports."""
