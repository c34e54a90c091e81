"""Sources of bulk jobs: files of tables, folders of images, and tables in memory."""
