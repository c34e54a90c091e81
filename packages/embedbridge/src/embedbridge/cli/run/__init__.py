"""`embedbridge run`: files of rows to Parquet files, or a Lance dataset, with vectors."""
