"""`embedbridge run`: files of rows to a folder of Parquet files with vectors."""
