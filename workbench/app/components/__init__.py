"""Browser components mounted by Streamlit: html, css and js."""
