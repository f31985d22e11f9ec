"""Reading and writing radiographs: PNG, TIFF, JPEG and DICOM."""
