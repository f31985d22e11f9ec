"""Read and write radiograph files: PNG, TIFF, JPEG and DICOM."""
